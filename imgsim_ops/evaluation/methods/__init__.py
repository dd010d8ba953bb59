"""Which method finds pictures of a class again that it has never seen."""
