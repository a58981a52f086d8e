"""Counting what is asked and answered: exact over all workers of a service, cheap beside an answer.

request -> PanelCounter.tally (which bins, how much)  -> durable -> Board.add (shared memory)
scrape  -> Board.total (all places) -> ModelProfile's series -> text
"""
