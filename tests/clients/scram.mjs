// The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), on nothing but node's own hashes.

import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";

const hmac = (key, text) => createHmac("sha256", key).update(text).digest();
const hash = (bytes) => createHash("sha256").update(bytes).digest();
const xor = (a, b) => Buffer.from(a.map((byte, at) => byte ^ b[at]));

export class Scram {
  static METHOD = "SCRAM-SHA-256";

  constructor(username, password) {
    const name = username.replaceAll("=", "=3D").replaceAll(",", "=2C");
    this.password = password;
    this.bare = `n=${name},r=${randomBytes(18).toString("base64")}`;
  }

  first() {
    return Buffer.from(`n,,${this.bare}`);
  }

  answer(challenge) {
    const text = challenge.toString();
    const value = Object.fromEntries(text.split(",").map((part) => [part[0], part.slice(2)]));
    const salt = Buffer.from(value.s, "base64");
    const salted = pbkdf2Sync(this.password, salt, Number(value.i), 32, "sha256");
    const withoutProof = `c=biws,r=${value.r}`;
    const messages = `${this.bare},${text},${withoutProof}`;
    const key = hmac(salted, "Client Key");
    const proof = xor(key, hmac(hash(key), messages)).toString("base64");
    this.expected = `v=${hmac(hmac(salted, "Server Key"), messages).toString("base64")}`;
    return Buffer.from(`${withoutProof},p=${proof}`);
  }

  isServer(last) {
    return last.toString() === this.expected;
  }
}
