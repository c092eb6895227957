"""Tiny random backbones with tokenizers, in the standard layout, made once a run."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    BertConfig,
    ElectraConfig,
    GPT2Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    RobertaConfig,
    T5Config,
)

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
BACKBONE_OF = {"bert": "bert", "gpt": "gpt2", "gpt-prompt": "gpt2", "t5": "t5"}
_ENCODER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 80,
}


def character_tokenizer(hanzi: str) -> PreTrainedTokenizerFast:
    """Make a tokenizer with one id a hanzi."""
    names = [*SPECIALS, "，", *hanzi]
    tokenizer = Tokenizer(
        models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), SPECIALS, strict=False)),
        mask_token="[MASK]",
        bos_token="[CLS]",
        eos_token="[SEP]",
    )


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Make a tokenizer that writes a hanzi as three bytes, but 你 and 好 as one token."""
    alphabet = ["<|end|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    merges = []
    for char in "你好":
        first, second, third = byte_level.pre_tokenize_str(char)[0][0]
        merges += [(first, second), (first + second, third)]
        alphabet += [first + second, first + second + third]
    vocabulary = {name: index for index, name in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = byte_level
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")


def write_backbone(folder: Path, kind: str, hanzi: str) -> Path:
    """Write a random model of an architecture and its tokenizer."""
    is_bytes = kind in {"llama", "qwen2"}
    tokenizer = byte_tokenizer() if is_bytes else character_tokenizer(hanzi)
    size: dict[str, Any] = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    heads = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    grouped = {**_ENCODER, "num_key_value_heads": 1, "num_attention_heads": 2}
    makers: dict[str, Any] = {
        "bert": lambda: AutoModelForMaskedLM.from_config(BertConfig(**_ENCODER, **size)),
        "roberta": lambda: AutoModelForMaskedLM.from_config(RobertaConfig(**_ENCODER, **size)),
        "electra": lambda: AutoModelForMaskedLM.from_config(
            ElectraConfig(**_ENCODER, **size, embedding_size=24)
        ),
        "gpt2": lambda: AutoModelForCausalLM.from_config(
            GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=80, **size, **heads)
        ),
        "llama": lambda: AutoModelForCausalLM.from_config(
            LlamaConfig(**grouped, **{**size, "pad_token_id": None}, **heads)
        ),
        "qwen2": lambda: AutoModelForCausalLM.from_config(
            Qwen2Config(**grouped, **{**size, "pad_token_id": None}, **heads)
        ),
        "t5": lambda: AutoModelForSeq2SeqLM.from_config(
            T5Config(
                d_model=32,
                d_ff=48,
                d_kv=16,
                num_layers=2,
                num_heads=2,
                decoder_start_token_id=0,
                **size,
            )
        ),
    }
    torch.manual_seed(7)
    model = makers[kind]()
    with torch.no_grad():  # far from zero, so that everything has an influence
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and kind != "t5":
                parameter.mul_(5.0)
            elif name.endswith("bias"):
                parameter.normal_(std=0.1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@cache
def _root() -> Path:
    import atexit

    root = Path(tempfile.mkdtemp(prefix="yinzi-backbones-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return root


@cache
def backbone(kind: str, hanzi: str) -> Path:
    """Return the folder of a tiny backbone; tests leave it as it is."""
    return write_backbone(_root() / f"{kind}-{abs(hash(hanzi))}", kind, hanzi)
