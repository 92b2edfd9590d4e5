"""The commands of `virtcim` beside `serve`, most of them clients of a running server, and how they ask and show."""
