"""What does the writer thread spend on one summary of each kind, beside torch and tensorboardX?"""
