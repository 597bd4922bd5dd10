"""How the demo ends before its end."""


class DemoFailed(Exception):
    """Something did not happen as it must. The text says what was waited for or what was seen instead."""


class Interrupted(Exception):
    """The user, or whoever runs us, asked to stop."""
