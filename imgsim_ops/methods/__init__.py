"""Which method finds pictures of a class again that it has never seen: data, methods, and how they are judged."""
