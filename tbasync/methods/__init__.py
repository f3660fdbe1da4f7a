"""What can be logged: the `add_*` methods of SummaryWriter, a group of kinds in each file."""
