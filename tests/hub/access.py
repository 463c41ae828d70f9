"""Who asks, and what they may do: tokens, private and gated repositories, read and write."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from hub.errors import Disabled, Forbidden, Gated, RepoNotFound, Unauthorized
from hub.repository import Repository
from hub.state import State, Token


class HasState(Protocol):
    """The server, whose state is replaced between tests while the application stays."""

    state: State


SERVER = web.AppKey("server", HasState)
FAULT = web.RequestKey("fault", object)  # for handlers that have a part in it

# Path segments of the API and of files -> the type of repository.
TYPES = {"models": "model", "datasets": "dataset", "": "model"}


def state_of(request: web.Request) -> State:
    return request.app[SERVER].state


def token_of(request: web.Request) -> Token | None:
    """The token of the request; 401 for one that the hub does not know."""
    header = request.headers.get("Authorization", "")
    if not header:
        return None
    token = state_of(request).tokens.get(header.removeprefix("Bearer "))
    if token is None:
        raise Unauthorized("Invalid credentials in Authorization header")
    return token


def signed_in(request: web.Request) -> Token:
    token = token_of(request)
    if token is None:
        raise Unauthorized("Invalid username or password.")
    return token


def readable(request: web.Request, *, files: bool = False) -> Repository:
    """The repository that the path names, for reading what is said of it or, with `files`, what is in it.

    A private one does not exist for strangers. The real hub answers 401 to those who did not sign in, and so do we:
    they may be meant to.
    """
    token, state = token_of(request), state_of(request)
    type = TYPES[request.match_info.get("type", "")]
    try:
        repository = state.repository(type, f"{request.match_info['namespace']}/{request.match_info['name']}")
        own = token is not None and repository.namespace in state.namespaces(token.user)
        if repository.private and not own:
            raise RepoNotFound("Repository not found")
    except RepoNotFound:
        if token is None:
            raise RepoNotFound("Invalid username or password.", status=401) from None
        raise
    if repository.disabled:
        raise Disabled
    if files and repository.gated and not own:
        _check_gate(repository, token)
    return repository


def writable(request: web.Request) -> Repository:
    """The repository that the path names, for changing it."""
    token = signed_in(request)
    repository = readable(request)
    check_namespace(request, token, repository.namespace)
    return repository


def proposable(request: web.Request) -> Repository:
    """The repository that the path names, for a pull request and its large files: open to all who can read."""
    token = signed_in(request)
    _check_role(token)
    return readable(request, files=True)


def check_namespace(request: web.Request, token: Token, namespace: str) -> None:
    if namespace not in state_of(request).namespaces(token.user):
        raise Forbidden(f'You don\'t have the rights to write under the namespace "{namespace}"')
    _check_role(token)


def _check_role(token: Token) -> None:
    if token.role != "write":
        raise Forbidden("This token has no write permission: use one with the role write.")


def _check_gate(repository: Repository, token: Token | None) -> None:
    where = f"Access to {repository.type} {repository.id} is restricted"
    if token is None:
        raise Gated(
            f"{where}. You must have access to it and be authenticated to access it. Please log in.",
            status=401,
        )
    if token.user not in repository.granted:
        raise Gated(f"{where} and you are not in the authorized list. Visit its page to ask for access.")
