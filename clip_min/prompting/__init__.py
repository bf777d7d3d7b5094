"""What prompt methods share, whichever tower they prompt.

    tree.py      the prompts of all classes as one sequence and one mask
    options.py   checks of a method's options, and how a learned context starts
    recipe.py    how a method is trained: learning rate, epochs, crops
    names.py     class names as they stand in a prompt
    words.py     class vectors of hand-written prompts
"""
