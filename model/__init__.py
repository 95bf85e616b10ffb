"""The trainer: pretrains a decoder on token shards. Imports torch, never Beam."""
