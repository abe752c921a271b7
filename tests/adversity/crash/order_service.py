"""FicMart's order service over HTTP."""

from typing import Any

import requests

from tests.support.api_client import ApiResponse, assert_documented
from tests.support.gateway_server import GatewayServer


class OrderService:
    """Speaks with its live key to the gateway, whichever process the gateway is by now."""

    def __init__(self, key: str, gateway: GatewayServer) -> None:
        self._key = key
        self._gateway = gateway

    def get(self, path: str) -> Any:
        """A 200's body."""
        answer = self._call("GET", path)
        assert answer.status == 200, answer
        return answer.json

    def post(self, path: str, body: Any = None, *, key: str, **headers: str) -> ApiResponse:
        return self._call("POST", path, body, **{"Idempotency-Key": key, **headers})

    def _call(self, method: str, path: str, body: Any = None, **headers: str) -> ApiResponse:
        headers["Authorization"] = f"Bearer {self._key}"
        url = f"{self._gateway.url}/api/v1{path}"
        response: Any = requests.request(method, url, json=body, headers=headers, timeout=30)
        answer = ApiResponse(response)
        assert_documented(method, path, answer)
        return answer
