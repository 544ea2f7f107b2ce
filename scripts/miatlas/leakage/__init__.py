"""What scores reveal: ROC curves, metrics, intervals, differential privacy."""
