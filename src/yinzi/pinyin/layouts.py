"""The shuangpin layouts that people use.

Which key is what are facts about these input methods, checked against the tables of libime and
the Rime schemata; the tests type every syllable with each of them.
"""

from __future__ import annotations

from yinzi.pinyin.shuangpin import Layout

__all__ = ["LAYOUTS"]


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Read `ia,ua=w`: both have the key w."""
    parts = (entry.split("=", 1) for entry in text.split())
    return tuple((name, key) for names, key in parts for name in names.split(","))


def _layout(initials: str, finals: str, *zero_initial: str) -> Layout:
    # lo is rare and wo has no initial l: uo and o share a key everywhere, and only l has both.
    return Layout(_pairs(initials), _pairs(finals), zero_initial, shared=("lo",))


_ZIRANMA_FINALS = (
    "iu=q ia,ua=w uan,er=r ue,ve=t uo=o un=p ong,iong=s iang,uang=d en=f eng=g ang=h an=j ao=k "
    "ai=l ei=z ie=x iao=c ui=v ou=b in=n ian=m "
)
_MICROSOFT_FINALS = _ZIRANMA_FINALS + "uai,v=y ing=; "

LAYOUTS: dict[str, Layout] = {
    "xiaohe": _layout(
        "zh=v ch=i sh=u",
        "iu=q ei=w uan=r ue,ve=t un=y uo=o ie=p ong,iong=s ai=d en=f eng=g ang=h an=j ing,uai=k "
        "iang,uang=l ou=z ia,ua=x ao=c ui=v in=b iao=n ian=m",
        "spelled",
        "letter",
    ),
    "ziranma": _layout("zh=v ch=i sh=u", _ZIRANMA_FINALS + "uai,ing=y", "spelled", "letter", "o"),
    "microsoft": _layout("zh=v ch=i sh=u", _MICROSOFT_FINALS + "ue,ve=v", "o"),
    "sogou": _layout("zh=v ch=i sh=u", _MICROSOFT_FINALS, "o"),
    "abc": _layout(
        "zh=a ch=e sh=v",
        "ei=q ian=w er,iu=r iang,uang=t ing=y uo=o uan=p ong,iong=s ia,ua=d en=f eng=g ang=h an=j "
        "ao=k ai=l iao=z ie=x in,uai=c ou=b un=n ue,ve,ui=m",
        "o",
    ),
    "jiajia": _layout(
        "zh=v ch=u sh=i",
        "er,ing=q ei=w en=r eng=t ong,iong=y uo=o ou=p ai=s ao=d an=f ang=g iang,uang=h ian=j "
        "iao=k in=l un=z ue,ve,uai=x uan=c ui=v ia,ua=b iu=n ie=m",
        "letter",
        "o",
    ),
    "ziguang": _layout(
        "zh=u ch=a sh=i",
        "ao=q en=w an=r eng=t in,uai=y uo=o ai=p ang=s ie=d ian=f iang,uang=g ong,iong=h er,iu=j "
        "ei=k uan=l ou=z ia,ua=x iao=b ue,ve,ui=n un=m ing=;",
        "o",
    ),
}
"""Layouts by the names of `yinzi.pinyin.schemes`."""
