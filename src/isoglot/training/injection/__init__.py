"""Targeted lexical injection: translations of words are brought together at an early layer, by adapters below it.

(Ngugi 2025, "Targeted Lexical Injection: Unlocking Latent Cross-Lingual Alignment in Lugha-Llama via Early-Layer LoRA
Fine-Tuning", arXiv 2506.15415.)
"""
