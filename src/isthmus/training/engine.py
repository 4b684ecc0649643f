"""The one training loop: players, batches, a budget. It knows no model by name.

One step of each player: ``terms = loss(step)``, the gradient of their sum with respect to the player's own parameters,
one move of the player's optimisers at ``peak rate * schedule(share of the budget spent)``.

What can go wrong has one answer each. A loss that is not finite: the step is skipped; after three in a row the last
good epoch (the next time, the first weights) is restored and the rate divided by ten; after five such returns training
stops and names the term, the tensor and the rows. Memory runs out: the epoch starts again with half the batch, and the
run remembers. Interrupted: the last checkpoint is on disk, and going on from it gives the same bits as never having
stopped.

Ranks that train together (:mod:`isthmus.training.distributed`) have the same weights at every step, because each of
these turns is taken by all of them or by none. Every rank has its share of a batch; one that has none of it goes along
with a record that does not count.
"""

from __future__ import annotations

import itertools
import math
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from isthmus import artifact, documents, ranks
from isthmus.errors import ArtifactError, OutOfMemoryError, TrainingError
from isthmus.training import checkpoints, distributed, optimizers
from isthmus.training.batches import Batch, Batches, epoch_generator, noise_generator
from isthmus.training.callbacks import Callback, FitState
from isthmus.training.plan import Plan, Progress
from isthmus.training.players import Player
from isthmus.training.precision import autocast, fast_float32
from isthmus.training.schedules import constant, one_cycle
from isthmus.training.step import Step
from isthmus.training.stopping import EarlyStopping
from isthmus.training.under_way import UnderWay

__all__ = ["Engine"]

SKIPS = 3  # steps in a row without a finite loss, before going back
RETURNS = 5  # times of going back, before giving up
PROGRESS_SECONDS = 0.2  # between two calls of on_progress
ONE_RECORD = "Training ran out of memory with a batch of one record."


class Engine:
    """Train a module's players on batches within a budget, and leave the best weights in it.

    Parameters
    ----------
    module : torch.nn.Module
        Holds every parameter and buffer of every player.
    players : sequence of Player
        Who trains.
    batches : Batches
        What on.
    plan : Plan
        How.
    held_out : Batches or None
        Records that are scored after each epoch and never trained on.
    callbacks : sequence of Callback
        Who looks on.
    inputs : callable, optional
        ``inputs(records, rng)`` makes what the networks see of encoded records: :meth:`isthmus.networks.Core.inputs`.
        By default records are taken as they are.
    """

    def __init__(
        self,
        module: nn.Module,
        players: Sequence[Player],
        batches: Batches,
        plan: Plan,
        *,
        held_out: Batches | None = None,
        callbacks: Sequence[Callback] = (),
        inputs: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    ) -> None:
        self.module, self.players, self.batches, self.plan = module, players, batches, plan
        self.held_out, self.callbacks, self.inputs = held_out, callbacks, inputs
        self.device = batches.device
        whole = plan.optimizer == "gradient-descent"
        self.progress = Progress(batch_size=batches.n if whole else min(plan.batch_size, batches.n))
        self.stopping = EarlyStopping(math.inf if plan.patience is None else plan.patience)  # type: ignore[arg-type]
        self.schedule = constant if whole else one_cycle
        self.optimizers = {
            player.name: optimizers.make_optimizers(
                player, plan.optimizer, plan.learning_rate, plan.weight_decay, self.progress.batch_size, plan.precision
            )
            for player in players
        }
        self.parameters = {player.name: list(player.parameters()) for player in players}
        self.best: dict[str, Tensor] | None = None
        self.origin: dict[str, Tensor] = {}  # the first weights
        self.origin_epoch = 0
        self.under_way: UnderWay | None = None
        self.kept_epoch = 0
        self.state = FitState(max_epochs=plan.budget.epochs, checkpoint=self.save_checkpoint)
        # A look at a loss makes a GPU wait for its queue; on a processor it is free. Ranks wait for each other anyway.
        self.look_every = 1 if self.device.type == "cpu" or distributed.world() > 1 else 50
        self.failed = False  # whether memory ran out on this rank, which the others do not know yet

    # ------------------------------------------------------------------ the run

    def run(self) -> Progress:
        """Train until the budget is spent, the held-out loss stalls, or a callback says stop.

        Returns
        -------
        Progress
            History and notes. The module holds the weights of ``kept_epoch``, the best one (the last without held-out
            records).

        Raises
        ------
        TrainingError
            Losses stayed non-finite; the module holds the weights of ``kept_epoch``, 0 for those it started with.
        OutOfMemoryError
            A single record did not fit.
        """
        self.state.history = self.progress.history
        distributed.agree(self.module, self.batches.labels, None if self.held_out is None else self.held_out.labels)
        self.started = time.perf_counter() - self.progress.seconds
        self.next_look = 0.0
        self.kept_epoch = self.progress.epoch
        if not self.origin:
            self.origin, self.origin_epoch = self._snapshot(), self.progress.epoch
        devices = [self.device] if self.device.type == "cuda" else []
        try:
            # Layers such as dropout draw from torch's global generator: lend it, seeded, and give it back untouched.
            with torch.random.fork_rng(devices), fast_float32(self.device.type):
                for callback in self.callbacks:
                    callback.on_start(self.state)
                while not self._is_over():
                    self._epoch()
                    if self._look_on():
                        break
        finally:
            self._keep_best()
            for callback in self.callbacks:
                callback.on_end(self.state)
        return self.progress

    def _is_over(self) -> bool:
        p = self.progress
        return self._share() >= 1.0 or (self.held_out is not None and self.stopping.is_over(p.epoch))

    def _share(self) -> float:
        p, steps = self.progress, self.batches.steps(self.progress.batch_size)
        total = self.plan.budget.steps(steps)
        share = self.plan.budget.progress(p.step, total, time.perf_counter() - self.started)
        return share if self.plan.budget.seconds is None else distributed.first_says(share)

    def _look_on(self) -> bool:
        """Tell the callbacks that an epoch is over; return whether one of them says stop, on any rank."""
        self.state.epoch, self.state.progress = self.progress.epoch, self._share()
        answers = [callback.on_epoch(self.state) for callback in self.callbacks]
        return distributed.any_says("stop" in answers)

    def forecast(self) -> dict[str, float]:
        """Predict what the run will take, from three trial batches that leave no trace.

        Returns
        -------
        dict
            ``memory_bytes``: weights, their gradients, the optimisers' state, the best weights and the last good ones,
            and what one batch keeps for its gradient; without the records themselves. ``seconds``: for all epochs of
            the budget, or the budget's own seconds where that is less.
        """
        p, steps = self.progress, self.batches.steps(self.progress.batch_size)
        kept = 0

        def count(tensor: Tensor) -> Tensor:
            nonlocal kept
            kept += tensor.nbytes
            return tensor

        good = self._snapshot()
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices), fast_float32(self.device.type):
            rng = epoch_generator(self.plan.seed, 0, self.device)
            order = epoch_generator(0, 0)
            part = next(self._parts(self.batches, self.batches.epoch(p.batch_size, order, distributed.share())))
            self.module.train()
            with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
                self._step(part, 1.0, rng)
            started = time.perf_counter()
            for _ in range(2):
                self._step(part, 1.0, rng)
            seconds = (time.perf_counter() - started) / 2 * self.plan.budget.steps(steps)
        states = sum(tensor.nbytes for tensor in self._snapshot().values())
        weights = sum(tensor.nbytes for tensor in self.module.state_dict().values())
        self._restore(good)
        return {
            "memory_bytes": float(2 * states + 2 * weights + kept),
            "seconds": seconds if self.plan.budget.seconds is None else min(seconds, self.plan.budget.seconds),
        }

    # ------------------------------------------------------------------ an epoch

    def _epoch(self) -> None:
        """Train one epoch; start it again from its beginning after going back or running out of memory."""
        p = self.progress
        if self.under_way is None:
            self.under_way = UnderWay(self._snapshot(), p.step)
        good, step = self.under_way.good, self.under_way.step
        while True:
            try:
                terms = self._train(self.under_way)
                break
            except _NotFiniteError as problem:
                self._go_back(good, step, problem)
            except OutOfMemoryError:
                raise
            except (MemoryError, RuntimeError) as error:
                self._halve_batch(good, step, error)
            self.under_way = UnderWay(good, step)
        self.under_way = None
        p.epoch += 1
        p.seconds = time.perf_counter() - self.started
        record: dict[str, Any] = {"epoch": p.epoch, "seconds": p.seconds, "learning_rate": self._rate()}
        record |= _named("train", terms)
        for player in self.players:
            record |= {} if player.metrics is None else player.metrics()
        if self.held_out is not None:
            record |= _named("validation", self._score(self.held_out))
            loss = record["validation_loss"]
            if not math.isfinite(loss):
                p.epoch -= 1
                self._go_back(good, step, _NotFiniteError("the held-out loss", None))
                return
            if self.stopping.is_best(loss, p.epoch) and self.plan.keep_best:
                self.best = self._weights()
                p.best, p.best_epoch = loss, p.epoch
        p.history.append(record)
        self.kept_epoch = p.epoch

    def _train(self, at: UnderWay) -> dict[str, Tensor]:
        """Take every step that is left of one epoch (or of the budget); return each term's mean over records."""
        p = self.progress
        torch.manual_seed(noise_generator(self.plan.seed, 2 * p.epoch).initial_seed())
        order = epoch_generator(self.plan.seed, 2 * p.epoch)
        rng = self.rng = noise_generator(self.plan.seed, 2 * p.epoch + 1, self.device)
        at.take_up(rng, self.module)
        problem = None
        self.module.train()
        batches = self.batches.epoch(p.batch_size, order, distributed.share())
        for part in itertools.islice(self._parts(self.batches, batches), at.done, None):
            share = self._share()
            if share >= 1.0 and p.step > 0:
                break
            terms, count = self._step(part, share, rng)
            if p.step % self.look_every == 0 and not _all_finite(terms):
                p.bad += 1
                problem = _NotFiniteError(_first_bad(terms), part.batch)
                if p.bad >= SKIPS or self.look_every > 1:
                    raise problem
            else:
                p.bad = 0
                at.add(terms, count)
            p.step += 1
            at.done, at.rate = at.done + 1, self._rate()
            self._show_progress(share)
            if p.bad == 0:
                self._tell_step()
        if distributed.any_says(self.failed):
            raise _MemoryRanOutError
        distributed.agree(*self.module.buffers())  # of networks of the user's own, which know of no other rank
        if not at.seen and problem is not None:  # an epoch of fewer steps than may be skipped
            raise problem
        return {name: total / max(1, at.seen) for name, total in at.sums.items()}

    def _parts(self, source: Batches, batches: Iterator[Batch]) -> Iterator[_Part]:
        """Yield this rank's part of every batch; of one that it has nothing of, or no memory for, none that counts."""
        waiting = iter(batches)
        while True:
            try:
                batch = next(waiting, None)
            except (MemoryError, RuntimeError) as error:
                if source is not self.batches:
                    raise
                self._note_failure(error)
                yield _nothing(source)
                continue
            if batch is None:
                return
            yield _Part(batch, True) if len(batch[1]) else _nothing(source)

    def _step(self, part: _Part, share: float, rng: torch.Generator) -> tuple[dict[str, Tensor], int]:
        """Move each player whose turn it is; return every named term, and of how many records it is the mean."""
        factor = self.schedule(share) * self.progress.rate
        named: dict[str, Tensor] = {}
        count = len(part.batch[1])
        for player in self.players:
            if self.progress.step % player.every:
                continue
            terms, gradients, count = self._turn(player, part, rng, share)
            named |= self._prefixed(player, terms)
            if gradients is None:
                continue
            try:
                self._move(player, gradients, factor)
            except (MemoryError, RuntimeError) as error:
                self._note_failure(error)
        return named, count

    def _move(self, player: Player, gradients: Sequence[Tensor | None], factor: float) -> None:
        for parameter, gradient in zip(self.parameters[player.name], gradients, strict=True):
            parameter.grad = _laid_out_as(parameter, gradient)
        for optimizer in self.optimizers[player.name]:
            optimizer.step(factor)
        if player.after is not None:
            player.after()

    def _turn(self, player: Player, part: _Part, rng: torch.Generator, share: float) -> _Turned:
        """Return a player's terms, their gradient unless a term is not finite, and the number of records."""
        if distributed.world() > 1:
            turn = ranks.Turn(part.counts)
            try:
                return self._turn_together(player, part, rng, share, turn)
            except (MemoryError, RuntimeError) as error:
                self._note_failure(error)
            return self._turn_without_memory(player, rng, share, turn)
        terms = self._terms(player, part.batch, self.batches, rng, share)
        total = _sum(terms)
        gradients = None
        if self.look_every > 1 or math.isfinite(total.item()):
            gradients = torch.autograd.grad(total, self.parameters[player.name], allow_unused=True)
        return _Turned(terms, gradients, len(part.batch[1]))

    def _turn_without_memory(self, player: Player, rng: torch.Generator, share: float, turn: ranks.Turn) -> _Turned:
        """Take a turn again, since the others cannot go on without this rank; they hear of it in the next exchange."""
        turn.again()
        try:
            return self._turn_together(player, _nothing(self.batches), rng, share, turn)
        except (MemoryError, RuntimeError) as error:
            self._note_failure(error)
            raise OutOfMemoryError(ONE_RECORD) from error

    def _turn_together(
        self, player: Player, part: _Part, rng: torch.Generator, share: float, turn: ranks.Turn
    ) -> _Turned:
        """Return the same over the records of all ranks, each of which weighs alike."""
        with ranks.taking(turn):
            terms = self._terms(player, part.batch, self.batches, rng, share)
        total, own = _sum(terms), len(part.batch[1]) if turn.counts else 0
        values = torch.stack([term.detach().to(total.dtype) for term in terms.values()])
        counts = total.new_tensor([float(own), float(self.failed)])
        *sums, count, failed = turn.exchange(torch.cat([turn.counted(own * values), counts]))
        if failed > 0:
            raise _MemoryRanOutError
        means = {name: value / count for name, value in zip(terms, sums, strict=True)}
        if not _all_finite(means):
            return _Turned(means, None, int(count))
        parameters = self.parameters[player.name]
        found = torch.autograd.grad(total * (own / count), parameters, allow_unused=True)
        if not turn.counts:  # it was computed only because other ranks' gradients go through this one
            found = tuple(None if each is None else torch.zeros_like(each) for each in found)
        gradients, out_of_memory = distributed.summed(found, parameters, says=self.failed)
        if out_of_memory:
            raise _MemoryRanOutError
        return _Turned(means, gradients, int(count))

    def _terms(
        self, player: Player, batch: Batch, source: Batches, rng: torch.Generator, share: float = 1.0
    ) -> dict[str, Tensor]:
        """Return the named terms of a player's loss on a batch of ``source``."""
        records, rows = batch
        with autocast(self.device.type, self.plan.precision):
            x = records if self.inputs is None else self.inputs(records, rng)
            return player.loss(Step(x, rng, source.labels_of(rows), share))

    def _score(self, held_out: Batches) -> dict[str, Tensor]:
        """Return the loss terms on held-out records of the players that count, with a fixed seed."""
        rng = noise_generator(self.plan.seed, 0, self.device)
        sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=self.device))
        self.module.eval()
        with torch.no_grad():
            batches = held_out.in_order(max(self.progress.batch_size, 1024), distributed.share())
            for part in self._parts(held_out, batches):
                for player in self.players:
                    if not player.in_validation:
                        continue
                    with ranks.taking(ranks.Turn(part.counts) if distributed.world() > 1 else None):
                        terms = self._terms(player, part.batch, held_out, rng)
                    for name, term in self._prefixed(player, terms).items():
                        sums[name] += term * len(part.batch[1]) if part.counts else torch.zeros_like(term)
        names, values = list(sums), list(sums.values())
        reduced, _ = distributed.summed(values, values, says=False)
        return {name: total / held_out.n for name, total in zip(names, reduced, strict=True) if total is not None}

    def _prefixed(self, player: Player, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return terms by the names of the history: with the player's name where there are several."""
        return {f"{player.name}_{name}": term for name, term in terms.items()} if len(self.players) > 1 else terms

    def _show_progress(self, share: float) -> None:
        now = time.perf_counter()
        if now >= self.next_look:
            self.next_look = now + PROGRESS_SECONDS
            self.state.progress = share
            for callback in self.callbacks:
                callback.on_progress(self.state)

    def _tell_step(self) -> None:
        self.state.step = self.progress.step
        for callback in self.callbacks:
            callback.on_step(self.state)

    def _rate(self) -> float:
        """Return the peak rate times its factor, of the first optimiser of the first player."""
        return self.optimizers[self.players[0].name][0].rate

    # ------------------------------------------------------------------ what can go wrong

    def _go_back(self, good: dict[str, Tensor], step: int, problem: _NotFiniteError) -> None:
        """Restore the last good epoch and lower the rate, or give up."""
        p = self.progress
        if p.returns >= RETURNS:
            raise TrainingError(self._give_up(good, problem))
        # Weights can be finite and yet past saving: from the second return on, start over.
        self._restore(good if p.returns == 0 else self.origin)
        p.returns += 1
        p.rate /= 10
        p.bad = 0
        p.step = step
        p.notes.append(
            f"epoch {p.epoch + 1}: {problem.term} was not finite; "
            f"went back {'to its start' if p.returns == 1 else 'to the first weights'} with the learning rate "
            f"times {p.rate:g}"
        )

    def _give_up(self, good: dict[str, Tensor], problem: _NotFiniteError) -> str:
        """Restore the last weights that are of use; return what happened, and when."""
        weights = next((n for n, t in self.module.state_dict().items() if not torch.isfinite(t.float()).all()), None)
        where = f"the first tensor that is not finite is {weights}" if weights else "all weights are finite"
        rows = self._restore_last_of_use(good, problem.batch)
        which = f"; rows {', '.join(map(str, rows[:10]))} cause it" if rows else ""
        epoch = self.kept_epoch if self.best is None else self.progress.best_epoch
        return (
            f"Training stopped in epoch {self.progress.epoch + 1}: {problem.term} stayed non-finite after {RETURNS} "
            f"returns to the last good weights at ever lower rates; {where}{which}. "
            f"The {f'weights of epoch {epoch}' if epoch else 'first weights'} are kept; "
            f"lower learning_rate{' or look at those rows' if rows else ''}."
        )

    def _restore_last_of_use(self, good: dict[str, Tensor], batch: Batch | None) -> list[int]:
        """Restore the last good epoch, or the first weights where only those give finite losses; return rows to blame.

        Finite weights of a run that went astray can be so large that nothing comes of them, whatever the record. Where
        nothing comes of the first weights either, it is no row's fault.
        """
        self._restore(good)
        if batch is None:
            return []
        rows = self._bad_rows(batch)
        if rows is None:
            self._restore(self.origin)
            rows = self._bad_rows(batch)
            if rows is None:
                self._restore(good)
            else:
                self.kept_epoch = self.origin_epoch
        return rows or []

    def _bad_rows(self, batch: Batch) -> list[int] | None:
        """Return the rows of a batch whose loss alone is not finite; None where that of the others is not either."""
        records, rows = batch
        self.module.eval()
        alone = zip(records[:, None], rows[:, None], strict=True)
        fine = torch.tensor([self._is_finite(record, row) for record, row in alone], device=rows.device)
        some = bool(fine.any())
        others = not some or self._is_finite(records[fine], rows[fine])
        if not distributed.any_says(some) or not distributed.all_say(others):
            return None
        return distributed.union(int(row) for row in rows[~fine])

    def _is_finite(self, records: Tensor, rows: Tensor) -> bool:
        """Tell whether all losses of some records are; some need slopes, so gradients stay on."""
        rng = torch.Generator(self.device).manual_seed(0)
        return all(_all_finite(self._terms(player, (records, rows), self.batches, rng)) for player in self.players)

    def _halve_batch(self, good: dict[str, Tensor], step: int, error: Exception) -> None:
        """After memory ran out, start the epoch again with half the batch; re-raise every other error."""
        p = self.progress
        if not _is_out_of_memory(error):
            raise error
        if p.batch_size == 1:
            raise OutOfMemoryError(ONE_RECORD) from error
        self._restore(good)
        done = step / self.batches.steps(p.batch_size)
        self.failed = False
        p.batch_size //= 2
        p.step = round(done * self.batches.steps(p.batch_size))
        p.notes.append(f"memory ran out: the batch is {p.batch_size} records from epoch {p.epoch + 1} on")
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _note_failure(self, error: Exception) -> None:
        """Remember that memory ran out here, for other ranks to hear of; re-raise what all know, and other errors."""
        if distributed.world() == 1 or isinstance(error, _MemoryRanOutError) or not _is_out_of_memory(error):
            raise error
        self.failed = True

    # ------------------------------------------------------------------ weights and checkpoints

    def _weights(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self.module.state_dict().items()}

    def _snapshot(self) -> dict[str, Tensor]:
        """Return copies of every tensor that a step may change."""
        tensors = {f"module.{name}": tensor for name, tensor in self.module.state_dict().items()}
        for player, its in self.optimizers.items():
            tensors |= {f"optimizer.{player}.{n}": t for n, t in optimizers.state_tensors(its).items()}
        return {name: tensor.clone() for name, tensor in tensors.items()}

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        self.module.load_state_dict(_under("module.", tensors))
        for player, its in self.optimizers.items():
            optimizers.load_state_tensors(its, _under(f"optimizer.{player}.", tensors))

    def _keep_best(self) -> None:
        if self.best is not None:
            self.module.load_state_dict(self.best)
            self.kept_epoch = self.progress.best_epoch

    def save_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Write all that :meth:`load_checkpoint` needs to go on, bit for bit; every rank must call this.

        Nothing is written where the run is about to go back, for weights that are not finite or for memory: then the
        checkpoint before is better.
        """
        p, at = self.progress, self.under_way
        p.seconds = time.perf_counter() - self.started
        tensors = self._snapshot() | {f"best.{n}": t for n, t in (self.best or {}).items()}
        if at is not None:
            if distributed.any_says(self.failed):
                return
            tensors |= at.tensors(self.rng, self.module)
        if distributed.is_first() and all(torch.isfinite(t.float()).all() for t in self.module.state_dict().values()):
            checkpoints.write(path, tensors, p, self.plan, None if at is None else at.document())

    def load_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Go on from a checkpoint of a run with the same plan: that of the first rank, if there are several.

        Raises
        ------
        ParameterError
            The checkpoint is of another plan or another network; the sentence names what differs.
        ArtifactError
            The file is damaged.
        """
        with distributed.of_first(path) as file:
            tensors, progress, document = checkpoints.read(file, self.plan, self.module)
        distributed.agree(self.module)
        self.origin = self._snapshot()
        with artifact.understanding(path):
            self.progress = documents.read(Progress, progress, "progress")
            if min(self.progress.batch_size - 1, self.progress.epoch, self.progress.step) < 0:
                raise ArtifactError("progress must count epochs, steps and records")
            self._restore(tensors)
            if document is not None:
                self.under_way = UnderWay.read(document, tensors, self.device)
                self.optimizers[self.players[0].name][0].rate = self.under_way.rate
        if self.under_way is not None and not self.under_way.own:
            self.progress.notes.append(
                f"epoch {self.progress.epoch + 1} was begun by another number of processes or on another kind of "
                f"device, and went on with other noise"
            )
        if self.progress.best is not None:
            self.stopping.best, self.stopping.best_epoch = self.progress.best, self.progress.best_epoch
        self.best = _under("best.", tensors) or None


class _Part(NamedTuple):
    """What a rank has of a batch."""

    batch: Batch
    counts: bool


class _Turned(NamedTuple):
    """What a player's loss came to: terms, their gradient, and the number of records that they are means of."""

    terms: dict[str, Tensor]
    gradients: Sequence[Tensor | None] | None
    records: int


class _MemoryRanOutError(MemoryError):
    """Memory ran out on one of the ranks, and all of them know."""


class _NotFiniteError(Exception):
    """A loss term that is not a finite number, and the batch it came from."""

    def __init__(self, term: str, batch: Batch | None) -> None:
        super().__init__(term)
        self.term, self.batch = term, batch


def _laid_out_as(parameter: Tensor, gradient: Tensor | None) -> Tensor | None:
    """Return a gradient in its parameter's order of memory: fused optimisers take the two to agree, and do not look."""
    if gradient is None or gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


def _nothing(source: Batches) -> _Part:
    """Return a record that does not count."""
    first = source.rows[:1]
    return _Part((source.read_rows(first), torch.from_numpy(first).to(source.device)), False)


def _sum(terms: dict[str, Tensor]) -> Tensor:
    first, *others = terms.values()
    return sum(others, first)


def _all_finite(terms: dict[str, Tensor]) -> bool:
    return all(math.isfinite(term.item()) for term in terms.values())


def _first_bad(terms: dict[str, Tensor]) -> str:
    return next(f"the loss term {name!r}" for name, term in terms.items() if not math.isfinite(term.item()))


def _named(prefix: str, terms: dict[str, Tensor]) -> dict[str, float]:
    """Return ``{prefix}_loss`` and ``{prefix}_{term}`` as numbers."""
    numbers = {name: float(term) for name, term in terms.items()}
    return {f"{prefix}_loss": sum(numbers.values())} | {f"{prefix}_{name}": value for name, value in numbers.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
