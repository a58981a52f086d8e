"""The checks, a group a file. Each takes what it asks with, and writes down what it found."""
