"""The billing database: what is sold, who has it, what requests cost, who changed what. SQLite or PostgreSQL."""
