"""What only PyTorch's users need of the operators: loading them, shape functions, gradients, and the reference."""
