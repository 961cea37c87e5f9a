"""One module per step, in their order; a step that was released is never edited."""
