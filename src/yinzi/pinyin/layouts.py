"""The shuangpin layouts that people use.

Which key is what are facts about these input methods, checked against the tables of libime and
the Rime schemata; the tests type every syllable with each of them.
"""

from __future__ import annotations

from functools import cache

from yinzi.pinyin.shuangpin import Layout

__all__ = ["LAYOUT_NAMES", "built_in_layout"]


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Read `ia,ua=w`: both have the key w."""
    parts = (entry.split("=", 1) for entry in text.split())
    return tuple((name, key) for names, key in parts for name in names.split(","))


_ZIRANMA_FINALS = (
    "iu=q ia,ua=w uan,er=r ue,ve=t uo=o un=p ong,iong=s iang,uang=d en=f eng=g ang=h an=j ao=k "
    "ai=l ei=z ie=x iao=c ui=v ou=b in=n ian=m "
)
_MICROSOFT_FINALS = _ZIRANMA_FINALS + "uai,v=y ing=; "

_LAYOUTS: dict[str, tuple[str, ...]] = {  # initials, finals, ways to type zero initials
    "xiaohe": (
        "zh=v ch=i sh=u",
        "iu=q ei=w uan=r ue,ve=t un=y uo=o ie=p ong,iong=s ai=d en=f eng=g ang=h an=j ing,uai=k "
        "iang,uang=l ou=z ia,ua=x ao=c ui=v in=b iao=n ian=m",
        "spelled",
        "letter",
    ),
    "ziranma": ("zh=v ch=i sh=u", _ZIRANMA_FINALS + "uai,ing=y", "spelled", "letter", "o"),
    "microsoft": ("zh=v ch=i sh=u", _MICROSOFT_FINALS + "ue,ve=v", "o"),
    "sogou": ("zh=v ch=i sh=u", _MICROSOFT_FINALS, "o"),
    "abc": (
        "zh=a ch=e sh=v",
        "ei=q ian=w er,iu=r iang,uang=t ing=y uo=o uan=p ong,iong=s ia,ua=d en=f eng=g ang=h an=j "
        "ao=k ai=l iao=z ie=x in,uai=c ou=b un=n ue,ve,ui=m",
        "o",
    ),
    "jiajia": (
        "zh=v ch=u sh=i",
        "er,ing=q ei=w en=r eng=t ong,iong=y uo=o ou=p ai=s ao=d an=f ang=g iang,uang=h ian=j "
        "iao=k in=l un=z ue,ve,uai=x uan=c ui=v ia,ua=b iu=n ie=m",
        "letter",
        "o",
    ),
    "ziguang": (
        "zh=u ch=a sh=i",
        "ao=q en=w an=r eng=t in,uai=y uo=o ai=p ang=s ie=d ian=f iang,uang=g ong,iong=h er,iu=j "
        "ei=k uan=l ou=z ia,ua=x iao=b ue,ve,ui=n un=m ing=;",
        "o",
    ),
}

LAYOUT_NAMES: tuple[str, ...] = tuple(_LAYOUTS)
"""The names of the layouts."""


@cache
def built_in_layout(name: str) -> Layout:
    """Return the layout of one of `LAYOUT_NAMES`; made when first asked for.

    >>> built_in_layout("xiaohe").codes["zhuang"]
    ('vl',)
    """
    initials, finals, *zero_initial = _LAYOUTS[name]
    # uo and o share a key everywhere, and l is the one initial that has both.
    return Layout(_pairs(initials), _pairs(finals), tuple(zero_initial), shared=("lo",))
