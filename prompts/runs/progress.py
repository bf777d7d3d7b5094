"""What a run says while it learns, and `progress.pt`, from which an interrupted one goes on."""

import sys
import time

from clip_min.files import load_tensors, printable, save_tensors
from prompts.runs.identity import key_of
from prompts.runs.parallel import RANK
from prompts.runs.store import check_learned, learned_state, load_learned

SAVE_EVERY = 30  # seconds between two saves of an unfinished run


class Progress:
    """The state of one run, saved now and then.

    path: of progress.pt; None: nothing is saved or printed, as in exercises and measurements.
    setting: what identifies the run; the state of another setting is not used.
    """

    def __init__(self, path=None, setting=None):
        self.path, self.setting = path, setting
        self.before = 0.0  # seconds of learning before the last interruption
        self.started = self.saved = time.monotonic()
        self.first_epoch = 0

    @property
    def seconds(self):
        """Seconds of learning, interruptions left out."""
        return self.before + time.monotonic() - self.started

    def restore(self, method, *others):
        """Load the state of the method, and of `others` that have load_state_dict → losses so far,
        [] at the start. Called when the first epoch begins: time left is counted from here."""
        self.epochs_started = time.monotonic()
        if self.path is None or not self.path.exists():
            return []
        try:
            state = load_tensors(self.path)
            if key_of(state["setting"]) != key_of(self.setting):
                return []
            losses, seconds = [float(loss) for loss in state["losses"]], float(state["seconds"])
            check_learned(method, state["learned"], self.path)
            for other, saved in zip(others, state["others"], strict=True):
                other.load_state_dict(saved)
            load_learned(method, state["learned"], self.path)  # last: a damaged file changes none
        except (ValueError, TypeError, LookupError, RuntimeError, AttributeError):
            print(f"note: {printable(self.path)} is damaged: the run starts again.",
                  file=sys.stderr)
            return []
        self.before, self.first_epoch = seconds, len(losses)
        print(f"  continues after epoch {self.first_epoch}")
        return losses

    def save(self, losses, method, *others):
        """Keep the state after an epoch, if the last save was SAVE_EVERY seconds ago."""
        if self.path is None or RANK or time.monotonic() - self.saved < SAVE_EVERY:
            return
        states = [other.state_dict() for other in others]
        content = dict(setting=self.setting, learned=learned_state(method), others=states)
        save_tensors(self.path, dict(content, seconds=self.seconds, losses=losses))
        self.saved = time.monotonic()

    def report(self, epoch, epochs, words):
        """Print a line for the first, the last and a few epochs between."""
        if self.path is None or (epoch % max(1, epochs // 5) and epoch + 1 < epochs):
            return
        done = epoch + 1 - self.first_epoch
        left = (time.monotonic() - self.epochs_started) / done * (epochs - epoch - 1)
        print(f"  epoch {epoch + 1:3}/{epochs}  {words}  {left:4.0f} s left")

    def finish(self):
        """Remove progress.pt: the prompt file has taken its place."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


class SlowLoop:
    """Says how far a loop is, at most once in `every` seconds."""

    def __init__(self, words, every=2):
        self.words, self.every, self.said = words, every, time.monotonic()

    def say(self, done, total):
        """Print "  words: 3 of 16", if it is time."""
        if done < total and time.monotonic() - self.said >= self.every:
            self.said = time.monotonic()
            print(f"  {self.words}: {done:,} of {total:,}")


class Countdown:
    """Says which run of a sweep is next, and about how long the rest will take."""

    def __init__(self, runs, results):
        self.results = results
        self.learners = [run for run in runs if run.learns]
        self.first, self.started = None, time.monotonic()

    def announce(self, run, missing):
        """Print what is known of a run already, and, if something is left to do, that it begins."""
        if not run.learns:
            return
        is_finished, title = self.results.is_finished(run, missing), printable(run.title)
        for target, row in run.rows:
            found = self.results.find(row)
            if found and "failed" in found:
                print(f"{title}: failed before ({printable(found['failed'])})")
            elif found and (missing or is_finished):
                where = f"{target.name}, {row['classes']} classes (already in {self.results.path})"
                print(f"{title}: {found['accuracy']:.2f} % on {printable(where)}")
        if not is_finished:
            why = "prompt.pt is missing or of another run"
            if missing:
                why = self.results.why_new(missing[0][1])
            again = f", again because {why}" if why else ""
            print(f"{title}{self.position_and_time_left(run)}{again}")

    def position_and_time_left(self, run):
        """ " (run 23 of 216, about 12 min left)", or nothing if there is one run."""
        number, total = self.learners.index(run), len(self.learners)
        if total == 1:
            return ""
        if self.first is None:
            self.first, self.started = number, time.monotonic()
        done = number - self.first
        if done <= 0:
            return f" (run {number + 1} of {total})"
        left = (time.monotonic() - self.started) / done * (total - number) / 60
        return f" (run {number + 1} of {total}, about {max(1, round(left))} min left)"
