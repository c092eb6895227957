"""Bring the user's words into the nodes of a lattice, and take forgotten ones out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from yinzi.decoding.walk import Edges, LatticeOptions, Nodes, States, walk
from yinzi.lexicon import Lexicon, ragged_arange
from yinzi.user.table import UserTable

__all__ = ["with_user_words"]


def with_user_words(
    nodes: Nodes,
    user: UserTable,
    starts: NDArray[np.int64],
    edges: Edges,
    first_edge: NDArray[np.int64],
    *,
    lexicon: Lexicon,
    options: LatticeOptions,
    first_position: int,
    only_exact: bool,
) -> Nodes:
    """Return the nodes of a lattice with the user's words among them.

    Words that are there are marked as the user's; others are added behind the rest. Forgotten ones
    are taken out.

    Args:
        nodes: read from the lexicon.
        user: the user's words.
        starts: positions that words may start at.
        edges: of all graphs.
        first_edge: as for `walk`.
        lexicon: built-in words.
        options: limits and penalties.
        first_position: words that end at or before it are left out.
        only_exact: read the user's words along full syllables only.
    """
    if len(user.forgotten_entries):
        nodes = nodes.take(~np.isin(nodes.entry, user.forgotten_entries))
    found = [
        _rows_of(reached, trie.node_entry, trie.rows)
        for trie in user.tries
        for reached in [
            walk(
                starts,
                edges,
                first_edge,
                trie=trie,
                options=options,
                best_below=None,
                max_length=trie.max_length,
                only_exact=only_exact,
            )
        ]
        if reached
    ]
    if not found:
        return nodes
    states = States(
        *(
            np.concatenate(columns)
            for columns in zip(*(vars(states).values() for states, _ in found), strict=True)
        )
    )
    rows = np.concatenate([of_trie for _, of_trie in found])
    is_offered = (user.weight[rows] > 0) & (states.end > first_position)
    states, rows = states.take(is_offered), rows[is_offered]
    logprob = states.logprob + _reading_logprob(states, rows, user, lexicon, options)
    kept = _likeliest(states, rows, logprob, user)
    return _joined(nodes, states.take(kept), rows[kept], logprob[kept], user)


def _rows_of(
    reached: list[States], node_entry: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[States, NDArray[np.int64]]:
    """List the words of the trie nodes that a walk reached."""
    states = States(
        *(np.concatenate(parts) for parts in zip(*(vars(s).values() for s in reached), strict=True))
    )
    first = node_entry[states.trie_node]
    at, owner = ragged_arange(first, node_entry[states.trie_node + 1] - first)
    return states.take(owner), rows[at]


def _reading_logprob(
    states: States,
    rows: NDArray[np.int64],
    user: UserTable,
    lexicon: Lexicon,
    options: LatticeOptions,
) -> NDArray[np.float32]:
    """Return the penalties of wrong tones and rare readings.

    A short cut fits any tone: the user gave none.
    """
    entries = user.features.entry[rows]
    logprob = np.zeros(len(rows), dtype=np.float32)
    known = np.flatnonzero(entries >= 0)
    logprob[known] = lexicon.entry_logprob[entries[known]]
    toned = known[states.tones[known] != 0]
    if len(toned):
        differences = lexicon.count_tone_differences(entries[toned], states.tones[toned])
        logprob[toned] += np.float32(options.tone_logprob) * differences
    return logprob


def _likeliest(
    states: States, rows: NDArray[np.int64], logprob: NDArray[np.float32], user: UserTable
) -> NDArray[np.int64]:
    """Choose each word between two positions once, and of abbreviated ones the likeliest."""
    # By start, end and row; the best way to read a word first.
    order = np.lexsort((-logprob, rows, states.end, states.start))
    start, end, row = states.start[order], states.end[order], rows[order]
    is_first = np.ones(len(order), dtype=np.bool_)
    is_first[1:] = (start[1:] != start[:-1]) | (end[1:] != end[:-1]) | (row[1:] != row[:-1])
    order = order[is_first]
    crowded = order[~states.is_exact[order]]
    if len(crowded) <= user.options.max_words:
        return order
    rank = logprob[crowded] + user.word_logprob[rows[crowded]]
    by_span = np.lexsort((-rank, states.end[crowded], states.start[crowded]))
    crowded = crowded[by_span]
    start, end = states.start[crowded], states.end[crowded]
    is_new = np.ones(len(crowded), dtype=np.bool_)
    is_new[1:] = (start[1:] != start[:-1]) | (end[1:] != end[:-1])
    first_of_span = np.flatnonzero(is_new)[np.cumsum(is_new) - 1]
    kept = crowded[np.arange(len(crowded)) - first_of_span < user.options.max_words]
    return np.sort(np.concatenate((order[states.is_exact[order]], kept)))


def _joined(
    nodes: Nodes,
    states: States,
    rows: NDArray[np.int64],
    logprob: NDArray[np.float32],
    user: UserTable,
) -> Nodes:
    """Mark the words that are there and append the others."""
    features = user.features
    entries = features.entry[rows]
    known = np.flatnonzero(entries >= 0)
    wanted = np.flatnonzero(np.isin(nodes.entry, entries[known]))
    width = int(max(nodes.end.max(initial=0), states.end.max(initial=0))) + 1
    n_entries = int(entries.max(initial=0)) + 1
    keys = (states.start[known] * width + states.end[known]) * n_entries + entries[known]
    order = np.argsort(keys)
    of_nodes = nodes.start[wanted] * width + nodes.end[wanted]
    of_nodes = of_nodes * n_entries + nodes.entry[wanted]
    slot = np.searchsorted(keys[order], of_nodes)
    slot[slot == len(keys)] = 0
    is_hit = keys[order[slot]] == of_nodes
    hit = known[order[slot[is_hit]]]
    user_row = nodes.user_row.copy()
    user_row[wanted[is_hit]] = rows[hit]
    is_new = np.ones(len(rows), dtype=np.bool_)
    is_new[hit] = False
    added = Nodes(
        states.start[is_new],
        states.end[is_new],
        features.word[rows[is_new]],
        features.trie_node[rows[is_new]],
        entries[is_new],
        logprob[is_new],
        rows[is_new].astype(np.int32),
    )
    return Nodes.join([replace(nodes, user_row=user_row), added])
