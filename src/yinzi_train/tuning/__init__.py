"""Find settings by studies: many short runs that share one storage, the bad ones cut short."""
