// A simple terminal, with only the features that the machine's console needs: text, carriage return, backspace, and the
// escape sequences that the shell sends (erase to the end of the line, move the cursor, clear the screen).

const KEPT = 1000; // lines that stay visible
const KEYS = { Enter: "\r", Backspace: "\x7f", Tab: "\t", Escape: "\x1b", ArrowUp: "\x1b[A", ArrowDown: "\x1b[B",
               ArrowRight: "\x1b[C", ArrowLeft: "\x1b[D", Home: "\x1b[H", End: "\x1b[F", Delete: "\x1b[3~" };

export class Terminal {
    // `element` shows the text and receives the keys. We pass all input to send(text).
    constructor(element, send) {
        this.element = element;
        this.lines = [""];
        this.column = 0;
        this.pending = ""; // an escape sequence that is not complete yet
        element.tabIndex = 0;
        element.addEventListener("keydown", event => this.key(event, send));
        element.addEventListener("paste", event => send(event.clipboardData.getData("text").replaceAll("\n", "\r")));
    }

    key(event, send) {
        let text = KEYS[event.key] || (event.key.length === 1 ? event.key : "");
        if (event.ctrlKey && /^[a-z]$/.test(event.key)) {
            if (event.key === "v") return; // paste
            text = String.fromCharCode(event.key.charCodeAt(0) - 96);
        }
        if (!text || event.metaKey || event.altKey) return;
        send(text);
        event.preventDefault();
    }

    write(text) {
        for (const c of text) this.put(c);
        this.lines.splice(0, this.lines.length - KEPT);
        this.element.textContent = this.lines.join("\n") + "\u2588";
        this.element.scrollTop = this.element.scrollHeight;
    }

    get line() { return this.lines[this.lines.length - 1]; }
    set line(text) { this.lines[this.lines.length - 1] = text; }

    put(c) {
        if (this.pending) this.escape(c);
        else if (c === "\x1b") this.pending = c;
        else if (c === "\n") { this.lines.push(""); this.column = 0; }
        else if (c === "\r") this.column = 0;
        else if (c === "\b") this.column = Math.max(0, this.column - 1);
        else if (c >= " ") {
            this.line = this.line.slice(0, this.column).padEnd(this.column) + c + this.line.slice(this.column + 1);
            this.column++;
        }
    }

    escape(c) {
        this.pending += c;
        const sequence = /^\x1b\[([0-9;?]*)([@-~])$/.exec(this.pending);
        if (!sequence && this.pending.length < 12 && /^\x1b(\[|$)/.test(this.pending)) return;
        this.pending = "";
        if (!sequence) return;
        const [, number, letter] = sequence;
        if (letter === "K") this.line = this.line.slice(0, this.column);
        else if (letter === "D") this.column = Math.max(0, this.column - (Number(number) || 1));
        else if (letter === "C") this.column += Number(number) || 1;
        else if (letter === "J") { this.lines = [""]; this.column = 0; }
    }
}
