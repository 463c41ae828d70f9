"""Refusals in the hub's own words: clients choose their exception by status and X-Error-Code."""

from __future__ import annotations


class HubError(Exception):
    """An answer with `status`, a message in the body and in X-Error-Message, and a code where the hub has one."""

    status = 400
    code: str | None = None

    def __init__(self, message: str, *, status: int | None = None, commit: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status or type(self).status
        self.commit = commit

    @property
    def headers(self) -> dict[str, str]:
        headers = {"X-Error-Message": self.message.replace("\n", " ")}
        if self.code:
            headers["X-Error-Code"] = self.code
        if self.commit:  # clients remember by it that this commit lacks the file
            headers["X-Repo-Commit"] = self.commit
        return headers


class BadRequest(HubError):
    status = 400


class Unauthorized(HubError):
    status = 401


class Forbidden(HubError):
    status = 403


class Disabled(HubError):
    """Clients know it by its message, not by a code."""

    status = 403
    code = "DisabledRepo"

    def __init__(self) -> None:
        super().__init__("Access to this resource is disabled.")


class Gated(HubError):
    status = 403
    code = "GatedRepo"


class RepoNotFound(HubError):
    status = 404
    code = "RepoNotFound"


class RevisionNotFound(HubError):
    status = 404
    code = "RevisionNotFound"


class EntryNotFound(HubError):
    status = 404
    code = "EntryNotFound"


class Conflict(HubError):
    status = 409


class PreconditionFailed(HubError):
    status = 412
