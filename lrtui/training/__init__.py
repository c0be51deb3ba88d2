"""The training side: tasks, the one loop, trainers and the crew. Knows torch, never the screen."""
