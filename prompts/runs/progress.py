"""What a run says while it learns, and what an interrupted one goes on from: `progress.pt` in its
folder."""

import sys
import time

import torch

from clip_min.files import load_tensors, printable, save_tensors
from prompts.runs.parallel import RANK

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

    def restore(self, parts):
        """Load the state of each part (method's parameters, optimiser, ...) → losses so far, []
        at the start.

        parts: {name: tensor or object with load_state_dict}.
        """
        if self.path is None or not self.path.exists():
            return []
        try:
            state = load_tensors(self.path)
            if state["setting"] != self.setting:
                return []
            losses, seconds = [float(loss) for loss in state["losses"]], float(state["seconds"])
            load_parts(parts, state["parts"])
        except (ValueError, TypeError, LookupError, RuntimeError, AttributeError):
            print(f"note: {self.path} is damaged: the run starts again.", file=sys.stderr)
            return []
        self.before, self.first_epoch = seconds, len(losses)
        print(f"  continues after epoch {self.first_epoch}")
        return losses

    def save(self, parts, losses):
        """Keep the state after the last finished epoch, if the last save was SAVE_EVERY seconds
        ago."""
        if self.path is None or RANK or time.monotonic() - self.saved < SAVE_EVERY:
            return
        states = {}
        for name, part in parts.items():
            is_tensor = isinstance(part, torch.Tensor)
            states[name] = part.detach() if is_tensor else part.state_dict()
        content = dict(setting=self.setting, parts=states, seconds=self.seconds, losses=losses)
        save_tensors(self.path, content)
        self.saved = time.monotonic()

    def report(self, epoch, epochs, words):
        """Print a line for the first, the last and a few epochs between."""
        if self.path is None or (epoch % max(1, epochs // 5) and epoch + 1 < epochs):
            return
        done = epoch + 1 - self.first_epoch
        left = (time.monotonic() - self.started) / done * (epochs - epoch - 1)
        print(f"  epoch {epoch + 1:3}/{epochs}  {words}  {left:4.0f} s left")

    def finish(self):
        """Remove progress.pt: the prompt file has taken its place."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def load_parts(parts, states):
    """Give each part its saved state: the tensors last, so that a damaged file changes none of
    them."""
    tensors = {name: part for name, part in parts.items() if isinstance(part, torch.Tensor)}
    for name, tensor in tensors.items():
        if states[name].shape != tensor.shape or not states[name].isfinite().all():
            raise ValueError(f"{name} has another shape, or numbers that are not finite.")
    for name, part in parts.items():
        if name not in tensors:
            part.load_state_dict(states[name])
    for name, tensor in tensors.items():
        tensor.data.copy_(states[name])


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
        is_finished = self.results.is_finished(run, missing)
        for target, row in run.rows:
            found = self.results.find(row)
            if found and "failed" in found:
                print(f"{run.title}: failed before ({printable(found['failed'])})")
            elif found and (missing or is_finished):
                where = f"{target.name}, {row['classes']} classes (already in {self.results.path})"
                print(f"{run.title}: {found['accuracy']:.2f} % on {printable(where)}")
        if not is_finished:
            why = "prompt.pt is missing or of another run"
            if missing:
                why = self.results.why_new(missing[0][1])
            again = f", again because {why}" if why else ""
            print(f"{run.title}{self.position_and_time_left(run)}{again}")

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
