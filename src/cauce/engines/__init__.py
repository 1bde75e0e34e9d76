"""Where data lives: protocols in `api`, one file per engine; concrete engines are named only by `app` and `testing`."""
