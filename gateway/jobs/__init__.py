"""What runs in the background, on one gateway at a time."""
