"""An authenticator and its browser in software: it makes passkeys and signs with them, rightly or as it is told.

`device = Device(); await device.register(ada)`, then `await device.sign_in(client)`.
"""

import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
import httpx2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tenantry.testing import PUBLIC_URL

PRESENT, VERIFIED, MAY_SYNC, SYNCED, ATTESTED = 1, 4, 8, 16, 64


def to_text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def to_bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Device:
    """One passkey, and what a test may change about the device or the browser around it."""

    origin: str = PUBLIC_URL
    site: str | None = None
    """What it signs for, where that is not what it is asked."""
    flags: int = PRESENT | VERIFIED
    step: int = 1
    """How far its counter goes on with each use; 0 for devices that do not count."""
    frame: bool = False
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: os.urandom(16))
    handle: bytes | None = None
    count: int = 0

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        """What `navigator.credentials.create()` gives, as JSON."""
        self.handle = to_bytes(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        said = self._said("webauthn.create", options["challenge"])
        told = self._told(options["rp"]["id"], self.flags | ATTESTED)
        told += bytes(16) + len(self.credential_id).to_bytes(2) + self.credential_id + cbor2.dumps(public)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": told})
        made = self._credential(clientDataJSON=said, attestationObject=attestation)
        made["response"]["transports"] = ["internal", "of-tomorrow"]
        return made

    def show(self, options: dict[str, Any], **more: Any) -> dict[str, Any]:
        """What `navigator.credentials.get()` gives, as JSON."""
        allowed = [to_bytes(one["id"]) for one in options.get("allowCredentials", [])]
        assert not allowed or self.credential_id in allowed or more.pop("is_forced", False)
        self.count += self.step
        said, told = self._said("webauthn.get", options["challenge"]), self._told(options["rpId"], self.flags)
        signature = self.key.sign(told + sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        parts = {"clientDataJSON": said, "authenticatorData": told, "signature": signature}
        if self.handle is not None:
            parts["userHandle"] = self.handle
        return self._credential(**parts)

    async def register(self, browser: httpx2.AsyncClient, name: str = "Laptop") -> dict[str, Any]:
        """Add it for whoever is signed in; answers the passkey."""
        answer = await self.try_register(browser, name)
        assert answer.status_code == 201, answer.text
        passkey: dict[str, Any] = answer.json()["passkey"]
        return passkey

    async def try_register(self, browser: httpx2.AsyncClient, name: str = "Laptop") -> httpx2.Response:
        begun = (await browser.post("/v1/me/passkeys/options")).json()
        body = {"name": name, "challenge": begun["challenge"], "credential": self.make(begun["public_key"])}
        return await browser.post("/v1/me/passkeys", json=body)

    async def answer(self, browser: httpx2.AsyncClient, door: str = "/v1/auth/passkey") -> dict[str, Any]:
        """What a door wants to be sent, which it is asked for."""
        begun = await browser.post(f"{door}/options")
        assert begun.status_code == 200, begun.text
        return {"challenge": begun.json()["challenge"], "credential": self.show(begun.json()["public_key"])}

    async def sign_in(self, browser: httpx2.AsyncClient, door: str = "/v1/auth/passkey") -> httpx2.Response:
        """Show it at a door."""
        return await browser.post(door, json=await self.answer(browser, door))

    def _said(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.frame}
        return json.dumps(said).encode()

    def _told(self, asked: str, flags: int) -> bytes:
        return sha256((self.site or asked).encode()).digest() + bytes([flags]) + self.count.to_bytes(4)

    def _credential(self, **parts: bytes) -> dict[str, Any]:
        name = to_text(self.credential_id)
        response = {key: to_text(value) for key, value in parts.items()}
        return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}


def form(body: dict[str, Any]) -> dict[str, str]:
    """The same as a script fills it into a form."""
    return {"challenge": body["challenge"], "credential": json.dumps(body["credential"])}
