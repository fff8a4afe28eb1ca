"""Recursive networks: over trees."""

from .batch import Level as Level, TreeBatch as TreeBatch
from .brackets import (
    format_tree as format_tree,
    parse_sentiment as parse_sentiment,
    parse_tree as parse_tree,
    parse_trees as parse_trees,
)
from .conllu import format_conllu as format_conllu, parse_conllu as parse_conllu
from .error import TreeError as TreeError
from .files import read_trees as read_trees, write_trees as write_trees
from .gru import TreeGRU as TreeGRU
from .lstm import ChildSumTreeLSTM as ChildSumTreeLSTM, NaryTreeLSTM as NaryTreeLSTM
from .network import TreeNetwork as TreeNetwork
from .recursive import RNTN as RNTN, RecursiveNet as RecursiveNet
from .terms import Below as Below
from .top_down import TopDown as TopDown
from .tree import Tree as Tree
