"""Stripe. The only package that speaks its words; its library is loaded only where Stripe is configured."""
