"use strict";
// Behind the `#` no server and no log sees it; in the query, links of older mails have it.
const said = (text) => new URLSearchParams(text.slice(1)).get("token");
const token = said(location.hash) || said(location.search) || "";
history.replaceState(null, "", location.pathname);
const byId = (id) => document.getElementById(id);
const say = (text) => { byId("answer").textContent = text; };
if (!token) { say("The address holds no token: open the whole link."); }
byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  byId("send").disabled = true;
  say("One moment …");
  try {
    const reply = await fetch("/api/v1/auth/reset-password", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, password: byId("password").value }),
    });
    if (reply.ok) {
      byId("form").hidden = true;
      say("Done. You can log in with the new password now.");
      return;
    }
    const body = await reply.json();
    say(body.detail || "That did not work.");
  } catch (_) {
    say("The server cannot be reached. Try again.");
  }
  byId("send").disabled = false;
});
