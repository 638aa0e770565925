// The stream of what is seen. It is opened again for as long as the page is there; what was missed comes with it.

const AGAIN_MS = 700;

export function listen({ onPicture, onEvents, onTick, onConnected, onToken }) {
  let source = null;

  async function open() {
    source = new EventSource("/api/feed");
    source.addEventListener("open", () => onConnected(true));
    source.addEventListener("picture", (message) => onPicture(JSON.parse(message.data)));
    source.addEventListener("events", (message) => onEvents(JSON.parse(message.data)));
    source.addEventListener("tick", (message) => onTick(JSON.parse(message.data)));
    source.addEventListener("error", async () => {
      onConnected(false);
      if (source.readyState !== EventSource.CLOSED) return; // it comes again by itself
      source.close();
      if (await refused()) onToken();
      else setTimeout(open, AGAIN_MS);
    });
  }

  async function refused() {
    try {
      const answer = await fetch("/reports/-", { method: "HEAD" });
      return answer.status === 401;
    } catch {
      return false;
    }
  }

  open();
}

export async function ask(path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body ?? {}),
    });
  } catch {
    return "The console does not answer.";
  }
  if (answer.ok) return "";
  try {
    return (await answer.json()).error ?? `The console answered ${answer.status}.`;
  } catch {
    return `The console answered ${answer.status}.`;
  }
}
