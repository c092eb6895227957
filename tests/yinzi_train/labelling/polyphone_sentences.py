"""Sentences for labelling: polyphones, blanks, other scripts, rare hanzi, long runs, nothing."""

from __future__ import annotations

SENTENCES = [
    "我们了解这条最长的路。",
    "银行行长说：不行，一定要重来！",
    "他没来，乐队的行长得很长，却不是朝阳路的。",
    "我 们 要 去 银 行",
    "",
    "OK, 3 km!",
    "。",
    "了",
    "㐀𠀀〇𬺈\U0002ebf0",
    "我们了" * 60,
    "很长，" * 400,
    "一行行重重的音乐，只得长长地数一数；都说好，还没还。\t\r",
    "시끝<UNK>长",
]
