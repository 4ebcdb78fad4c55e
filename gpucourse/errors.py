"""One small family of exceptions: everything the course itself raises is a `CourseError`.

The two branches read differently on purpose. `NotBuiltYet` and `MissingPackage` say that the
course or the machine lacks something. A fault in the learner's own code is never one of them.
"""

from __future__ import annotations


class CourseError(Exception):
    """Base of every error that the course raises; its text names the place, the number and the next step."""


class NotBuiltYet(CourseError):
    """This version of the course does not have the feature."""


class MissingPackage(CourseError):
    """An optional package or device is absent; the text ends with the command that brings it."""
