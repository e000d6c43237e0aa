foo; keep
