"""XGBoost as AWS's algorithm image behaves when it is started as `train`: same inputs, checks, log and metric names.

What differs from the image, on purpose: one implementation (the installed xgboost) serves every version asked for; the
model is saved in xgboost's own format, never pickled; channels are read in File mode from one host.
"""
