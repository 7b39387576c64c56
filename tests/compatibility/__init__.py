"""Files of plotsim 0.7.0 mean here what they mean there, or are refused with a reason. A minute.

Yours goes here if it is about plotsim's words; the behaviours that are promised are listed in `test_behaviours.py`.
"""
