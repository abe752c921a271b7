"""FicMart's order service at a gateway that is a process of its own. Safe to use from many threads."""

import json
from typing import Any

import requests

from tests.support.api_client import ApiClient, ApiResponse, assert_documented


class RemoteClient(ApiClient):
    """As ApiClient, over a real connection."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__(key)
        self._url = url

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> ApiResponse:
        content = b"" if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        if content:
            sent["Content-Type"] = content_type
        response = requests.request(
            method, f"{self._url}/api/v1{path}", data=content, params=query, headers=sent, timeout=60
        )
        answer = ApiResponse(response)
        assert_documented(method, path, answer)
        return answer
