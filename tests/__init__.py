"""Laws, claims and the pages of the project. Minutes.

Yours goes into the folder of the package that it is about; here is what is about several of them.
"""
