"""Payment providers: whoever takes the money. What they have in common is ``port``; only ``open`` names one."""
