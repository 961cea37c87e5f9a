"""Values and arithmetic only: no asyncio, clock, random, os, logging or library. The oracle for every ledger."""
