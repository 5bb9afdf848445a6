import { describe, expect, it } from "vitest";
import { scopeOf, userOf } from "../src/identity";

const url = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
const token = (claims: unknown) => `e30.${url(JSON.stringify(claims))}.c2ln`;

describe("what is kept", () => {
  it("is of one user alone, whatever else their token says", () => {
    expect(scopeOf("shop", null)).toBe("shop");
    expect(scopeOf("shop", token({ sub: "anna", exp: 1 }))).toBe("shop@anna");
    expect(scopeOf("shop", token({ exp: 2, sub: "anna" }))).toBe("shop@anna");
    expect(scopeOf("shop", token({ sub: "a.b@c/\u00e9\u{1f9e3}" }))).toBe("shop@a.b%40c%2F%C3%A9%F0%9F%A7%A3");
  });

  it("has a name also where half a character is in it", () => {
    expect(scopeOf("shop", `e30.${url('{"sub":"\\ud83d"}')}.c2ln`)).toBe("shop@%EF%BF%BD");
  });

  it("is no visitor's where the token cannot be read", () => {
    for (const bad of ["", "x", "a.b.c", "..", token(null), token([]), token({ sub: 7 }), token({ sub: "" }), "a.\u00e9.c"]) {
      expect(userOf(bad), bad).toBeNull();
      expect(scopeOf("shop", bad)).toBe("shop@");
    }
  });
});
