"""What came of a race, computed from its state: order of lanes, sentences, filters, finder results.

Pure: the same state gives the same words. Nothing here reads a run or measures time. Begin with
`standings.py` and `sentences.py`.
"""
