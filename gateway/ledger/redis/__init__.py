"""Budgets shared by many gateways, in Redis or Valkey."""
