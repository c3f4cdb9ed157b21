"""The models that the policy has to beat, each fitted on a `RankingData` and called as a `Ranker`.

In: acts, texts and features of `models.ranking_data`. Out: scores of all works, tensors for the registry. Called
through `models.baselines.roster` by the evaluation, the training commands and, as arms or fallback, the server.
"""
