"""Writes the show: lines that stay, and below them a block that is redrawn, or plain lines where nothing can be redrawn."""

import os
import shutil
import sys
import textwrap
import time

BOLD, DIM, RED, GREEN, YELLOW, BLUE = "1", "2", "31", "32", "33", "36"


class Screen:
    """Standard output. On a terminal the last lines are live; in a log each line is written once and stays."""

    def __init__(self, out=None, live=None):
        self.out = out or sys.stdout
        self.is_live = self.out.isatty() if live is None else live
        self.colours = self.is_live and not os.environ.get("NO_COLOR")
        self.began = time.monotonic()
        self.drawn = 0

    def paint(self, text, *codes):
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self.colours and codes else text

    def width(self):
        return min(shutil.get_terminal_size((110, 24)).columns, 140) if self.is_live else 110

    def say(self, text="", *codes):
        """One or more lines that stay."""
        self._erase()
        for line in text.split("\n"):
            self.out.write(self.paint(line, *codes) + "\n")
        self.out.flush()

    def wrap(self, start, text):
        """`start` and `text` in lines of the terminal's width, hanging below the text; one line in a log."""
        if not self.is_live:
            return [start + text]
        return textwrap.wrap(text, self.width() - 1, initial_indent=start, subsequent_indent=" " * len(start)) or [start]

    def tell(self, text, *codes):
        """A line that stays, with the time since the start of the show."""
        seconds = int(time.monotonic() - self.began)
        self.say("\n".join(self.wrap(f"  {seconds // 60:2d}:{seconds % 60:02d}  ", text)), *codes)

    def title(self, text):
        self.say()
        self.say(text, BOLD)

    def live(self, lines):
        """Replaces the live block by `lines`, cut to the width so that none wraps. Writes nothing in a log."""
        if not self.is_live:
            return
        self._erase()
        for line in lines:
            self.out.write(cut(line, self.width()) + "\n")
        self.drawn = len(lines)
        self.out.flush()

    def _erase(self):
        if self.drawn:
            self.out.write(f"\x1b[{self.drawn}A\x1b[J")
            self.drawn = 0


def cut(line, width):
    """`line` with at most `width` visible characters; colour codes are not counted and are closed."""
    out, visible, index = [], 0, 0
    while index < len(line):
        if line[index] == "\x1b":
            end = line.index("m", index) + 1
            out.append(line[index:end])
            index = end
            continue
        if visible == width - 1 and len(line) - index > 1:
            out.append("…\x1b[0m" if "\x1b" in line else "…")
            break
        out.append(line[index])
        visible += 1
        index += 1
    return "".join(out)


def bar(percent, width):
    """`width` characters of which `percent` are full; any share that is not 0 shows."""
    full = round(percent * width / 100)
    if percent > 0:
        full = max(full, 1)
    if percent < 100:
        full = min(full, width - 1)
    return "█" * full + "░" * (width - full)


def thousands(number):
    return f"{number:,}".replace(",", " ")
