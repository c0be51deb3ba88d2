"""The results of a race, computed from its state.

    ranking              by which metric lanes are ranked, and their values of it
    standings            order of the lanes, gaps to the leader; lanes of several seeds are one row
    seed_comparison      whether the first is ahead beyond the spread of the seeds
    generalization       over-fitting, and leads in the training loss alone
    lane_sentence, race_sentences, next_rate
                         sentences for the user, and the rate to try next
    race_result, finder_result, lr_suggestions
                         JSON results; the rules of the lr finder
    successive_halving   which lanes are paused at a rung
    fairness             the check that the lanes began alike
    lane_filter, differences, time_to_target, batch_size, recipe_words, race_words

Pure: the same state gives the same words. Must not read a run or measure time. Begin with
`ranking.py`.
"""
