"""What does it cost to log from all ranks of a job, reduced, and does it keep up with many of them?"""
