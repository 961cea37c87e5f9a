// What the billing API answers, as far as the pages look at it. Times are RFC 3339; amounts whole minor units.

interface About {
  version: string;
  payments: { providers: string[]; demo?: boolean };
  login: { upstream: boolean; admin: boolean };
  workspace_header: string | null;
  currencies: Record<string, number>;
  buy_url?: string | null;
  prefixes: { billing: string; admin: string };
}

interface Me {
  user_id?: string | null;
  name?: string | null;
  admin: boolean;
  via: string;
  workspace_id?: string | null;
  policies?: string[];
}

interface Limit {
  meter: string;
  amount: number;
  window_seconds: number;
  refill: string;
  anchor?: string | null;
  time_zone?: string | null;
  burst?: number | null;
}

interface Price {
  id: string;
  plan_id: string;
  currency: string;
  price_cents: number;
  is_default: boolean;
  updated_at?: string;
}

interface Plan {
  id: string;
  name: string;
  slug: string;
  description?: string | null;
  throughput_limit: number;
  window_seconds: number;
  duration_days?: number | null;
  is_default: boolean;
  is_custom: boolean;
  active: boolean;
  prices?: Price[];
  version?: number;
  source?: "database" | "file";
  effective_default?: boolean;
  shadowed?: boolean;
  updated_at?: string;
  unlimited?: boolean;
  pack?: boolean;
  burn_rank?: number | null;
  limits?: Limit[];
}

interface Usage {
  scope: string;
  user_id?: string | null;
  workspace_id?: string | null;
  unlimited: boolean;
  throughput_limit: number;
  window_seconds: number;
  current_usage: number;
  remaining: number;
  fallback: boolean;
  meter?: string;
  plan?: string | null;
  purse?: number | null;
  refill?: string | null;
  anchor?: "day" | "month" | null;
  time_zone?: string | null;
  burst?: number | null;
  resets_at?: string | null;
  subscription_ends_at?: string | null;
}

interface Subscription {
  id: string;
  plan_id: string;
  plan?: Plan | null;
  scope: string;
  user_id?: string | null;
  workspace_id?: string | null;
  throughput_override?: number | null;
  starts_at: string;
  expires_at?: string | null;
  cancelled_at?: string | null;
  payment_provider: string;
  payment_mode: string;
  payment_external_id?: string | null;
  stripe_subscription_id?: string | null;
  cancel_at_period_end: boolean;
  status: string;
  created_at: string;
  updated_at: string;
  period_end?: string | null;
  next_plan_id?: string | null;
  plan_version?: number | null;
  source?: string;
}

interface Payment {
  id: string;
  amount_cents: number;
  currency: string;
  status: string;
  payment_method?: string | null;
  plan?: string;
  plan_name?: string | null;
  description?: string | null;
  created_at: string;
  refunded_cents?: number;
  dispute?: string;
  pay_url?: string | null;
  boleto_url?: string | null;
  boleto_pdf_url?: string | null;
  receipt_url?: string | null;
}

interface Point {
  start: string;
  rule?: string | null;
  scope?: string | null;
  id?: string | null;
  meter?: string;
  amount: number;
  requests: number;
  refused: number;
  overrun?: number;
  /** Of every rule together, because there are too many. */
  every?: boolean;
}

interface History {
  granularity: string;
  from: string;
  to: string;
  by: string;
  points: Point[];
  next_from?: string | null;
  rules?: Record<string, { cost: Record<string, number>; pays: string[] }> | null;
}

interface Weight {
  id: string;
  method: string;
  path_pattern: string;
  weight: number;
  description?: string | null;
  source?: string;
  origin?: string | null;
  pays?: string[] | null;
  public?: boolean;
  shadowed?: boolean;
  hits_last_day?: number | null;
  problem?: string | null;
  updated_at?: string;
}

interface Explained {
  method: string;
  path: string;
  canonical: string;
  cost: Record<string, number>;
  own: boolean;
  rule: Rule | null;
  runners_up: (Partial<Rule> & { reason?: string; decided_by?: string; segment?: number; better?: string; worse?: string })[];
}

interface Rule {
  name: string;
  method?: string;
  pattern?: string;
  weight: number;
  pays?: string[] | null;
  public?: boolean;
  fallback?: boolean;
  source?: string;
  origin?: string | null;
  hits_last_day?: number | null;
}

interface Key {
  id: string;
  name: string;
  user_id?: string | null;
  workspace_id?: string | null;
  expires_at?: string | null;
  revoked_at?: string | null;
  replaced_by?: string | null;
  created_at: string;
  source?: string;
  key?: string;
}

interface Known {
  kind: string;
  id: string;
  name?: string | null;
  first_seen_at?: string | null;
  last_seen_at?: string | null;
}
