"""At home among other writers: their classes recognised, their habits kept, their calls taken over."""
